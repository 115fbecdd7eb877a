"""The web page as a service of its own, in front of the API.

It hands out the page and passes on what the page asks of the API at ``FASTAPI_SERVER_URL``. It
decodes nothing, keeps nothing and holds no key. Needs the extra ``[web]``.
"""
