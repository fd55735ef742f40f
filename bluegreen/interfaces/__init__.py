"""How people and programs reach the daemon: API, alert hooks, client, command line.

Knows the app and the domain; no adapter. The server half (api, hooks) is never imported by the client half
(client, render, cli): a verb must start fast.
"""
