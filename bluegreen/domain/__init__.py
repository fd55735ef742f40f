"""The pure floor: what a deployment is, when we go back, what a restart must do.

Nothing here knows asyncio, a clock, logging or I/O: time comes in as an argument, and every decision is a
function whose answer can be read in a test table.
"""
