# SPDX-License-Identifier: Apache-2.0
"""A real Chromium for tests of pages: Debian's chromium, chromium-driver and python3-selenium, which tests/run installs."""

import os
import pathlib
import shutil
import unittest

from processes import SLACK, scratch_folder, wait_for

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys  # noqa: F401, for tests
except ImportError:
    webdriver = None

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--no-proxy-server")


class Browser:
    """One window. `dark`, `width`: as its reader has it."""

    def __init__(self, width=1280, height=900, dark=False):
        self.profile = scratch_folder()
        options = Options()
        for flag in (*FLAGS, f"--window-size={width},{height}", f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(30 * SLACK)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                    {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def open(self, url):
        self.driver.get(url)
        return self

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector, seconds=10.0):
        return wait_for(f"{selector} on the page", lambda: self.all(selector), seconds)[0]

    def text(self, selector):
        """Of all that fit, with what scripts have made of them by now."""
        return self.script("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent).join('\\n')", selector)

    def wait_text(self, selector, *wanted, seconds=15.0):
        return wait_for(f"{wanted} in {selector}", lambda: (t := self.text(selector)) and all(w in t for w in wanted) and t, seconds)

    def click(self, selector):
        element = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def button(self, within, text):
        """Clicks the button of that text."""
        def find():
            return [b for b in self.all(within + " button") if b.text == text and b.is_enabled()]
        element = wait_for(f"the button {text} in {within}", find, 15.0)[0]
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def fill(self, selector, text):
        element = self.one(selector)
        element.clear()
        element.send_keys(text)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def module(self, path, text, *arguments):
        """`text`: a function's body, with the module of that path as `m` and `arguments` as `a`; what it returns."""
        return self.driver.execute_async_script(
            "const end = arguments[arguments.length - 1], a = arguments[1];"
            f"import(arguments[0]).then((m) => {{ {text} }}).then(end, (e) => end('failed: ' + e));", path, list(arguments))

    def complaints(self, but=()):
        """Errors on the browser's console: of scripts, of the Content-Security-Policy, of requests; less those about `but`."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and not any(text in entry["message"] for text in but)]

    def shot(self, name, selector=None):
        """Into the folder ROUNDTRIP_TEST_SCREENSHOTS, if that is set; of where `selector` is."""
        folder = os.environ.get("ROUNDTRIP_TEST_SCREENSHOTS")
        if folder:
            if selector:
                self.script("document.querySelector(arguments[0]).scrollIntoView()", selector)
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(os.path.join(folder, name + ".png"))


def needs_browser(test):
    """CI has one, or fails."""
    if webdriver and shutil.which("chromium") and shutil.which("chromedriver"):
        return
    text = "chromium, chromium-driver or python3-selenium is missing: run tests/run without --no-install"
    if os.environ.get("CI") == "true":
        test.fail(text)
    raise unittest.SkipTest(text)
