import formats_page
import pytest


def test_the_page_on_formats_is_up_to_date():
    pytest.importorskip("pillow_heif")
    written = formats_page.PAGE.read_text(encoding="utf-8")
    assert written == formats_page.page(), "run: python tests/imaging/formats_page.py"
