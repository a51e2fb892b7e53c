"""The command line's nouns: what people and scripts ask of a running Tocsin, over its REST API.

Every command is a request and an answer put into words; nothing is decided here that the server could decide. Modules here
import what takes time when a command runs, so that `tocsin --help` stays fast.
"""
