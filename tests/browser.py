"""A headless Chromium, where there is one: what a script finds in a page.

The environment variable CHROMIUM says which to take; without it, the first of the usual names that there is.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-breakpad",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SECONDS = 120  # after which it is closed, whatever it does

# The page stands in a frame, as a browser's own window cannot be as narrow as a phone's; it tells its parent.
FRAME = """<body style="margin:0"><iframe src="asked.html" style="width:{}px;height:{}px;border:0"></iframe>
<script>addEventListener("message", (event) => {{ document.title = event.data; }});</script></body>"""
WRONG = "window.onerror = (text) => parent.postMessage('error ' + text, '*');"


def browse(page, folder, script, size):
    """What `script`, which ends in a return, gives in a browser that shows the page in that width and height."""
    asked = f"parent.postMessage('found' + JSON.stringify((() => {{ {script} }})()), '*');"
    page = page.replace("<body>", f"<body><script>{WRONG}</script>")
    page = page.replace("</body>", f"<script>{asked}</script></body>")
    (folder / "asked.html").write_text(page, encoding="utf-8")
    (folder / "frame.html").write_text(FRAME.format(*size), encoding="utf-8")
    shown = run(folder / "frame.html", folder / "profile")
    title = re.search(r"<title>(.*?)</title>", shown, re.DOTALL)
    assert title, "the page said nothing"
    assert title[1].startswith("found"), title[1]
    return json.loads(title[1].removeprefix("found").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def run(page, profile):
    """What a file is like once the browser has shown it; the browser and all that it started are closed."""
    assert BROWSER, "there is no Chromium here"
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", "--window-size=1300,1000", "--dump-dom", page.as_uri()]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", start_new_session=True
    )
    try:
        return started.communicate(timeout=SECONDS)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL) if hasattr(os, "killpg") else started.kill()
        started.wait()
