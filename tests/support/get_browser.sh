#!/bin/sh
# A browser for the tests of the page: the one that DIALER_BROWSER names, one of the machine, or Debian's from its packages.
# Never fails: without a browser those tests are skipped, and say so.
for name in "$DIALER_BROWSER" chromium chromium-browser google-chrome google-chrome-stable chrome; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && exit 0
done
become=
if [ "$(id -u)" != 0 ]; then
    become="sudo -n"
    $become true 2>/dev/null || become=none
fi
if [ "$become" != none ] && command -v apt-get >/dev/null 2>&1; then
    echo "No browser found: installing chromium for the tests of report.html."
    { timeout 60 $become apt-get update -q && timeout 180 $become env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends chromium; } >/dev/null 2>&1
    command -v chromium >/dev/null 2>&1 && exit 0
fi
echo "No browser for the tests of report.html: they are skipped. Install Chromium or Chrome, or name one with DIALER_BROWSER."
