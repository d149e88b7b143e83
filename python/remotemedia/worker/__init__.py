"""What runs nodes that are written in Python: in this process, or in a worker process of their own.

A worker is started by the native library, never by hand. A node does not need to know where it runs.
"""
