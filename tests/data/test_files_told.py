"""What `modellab/FILES.md` tells is so: its examples are read, its lists are whole."""

from __future__ import annotations

import re
from pathlib import Path

import modellab
from modellab.data.convert import MISSING_TEXTS
from modellab.data.synthetic import KINDS, SHAPES
from modellab.experiment import EncodingSpec, ReadingSpec, TextSpec
from modellab.experiment_file import loads
from modellab.experiment_reading import DELIMITER_WORDS, QUOTE_WORDS, THOUSANDS_WORDS

TEXT = (Path(modellab.__file__).parent / "FILES.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_the_examples_are_read_and_name_every_key() -> None:
    reading, encoding = (loads(example).data for example in EXAMPLES)
    for name in ReadingSpec.__struct_fields__:
        assert getattr(reading.reading, name) is not None, name
    assert encoding.text == TextSpec()
    assert encoding.encoding == EncodingSpec(ordered={"size": ["small", "middle", "large"]})
    for spec in (TextSpec, EncodingSpec):
        assert all(re.search(rf"^{name} = ", EXAMPLES[1], re.M) for name in spec.__struct_fields__)


def test_the_lists_are_whole() -> None:
    for words in (DELIMITER_WORDS, QUOTE_WORDS, THOUSANDS_WORDS, KINDS, SHAPES):
        assert re.search(r"\s+".join(words), TEXT), words
    assert " ".join(text for text in MISSING_TEXTS if text) in TEXT
