"""RemoteMedia inside of other frameworks. Each module needs its framework, which is not installed with this package."""
