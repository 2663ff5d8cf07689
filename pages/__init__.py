"""Results + content -> site: load, pictures, charts, render, publish, check, serve. Each module has one public entry.

Importing this package imports nothing heavy: commands import the module they need.
"""
