"""The one engine that moves bytes: plan, run, watch, cancel."""
