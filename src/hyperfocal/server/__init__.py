"""The service: photographs in and out over HTTP.

A request's picture lives in a file of the spool folder from its first byte to the answer; worker
processes decode, restore and encode it, and nothing it does to them reaches the service.
"""
