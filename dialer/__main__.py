"""``python -m dialer`` is ``dialer``."""

from dialer.cli import main

raise SystemExit(main())
