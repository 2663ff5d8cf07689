"""`python -m evidence.shapes`: counts generators and scorers again and writes evidence/cards/sizes.json."""

from __future__ import annotations

import json

from evidence import shapes
from evidence.cards.sized import SIZES
from evidence.shapes import scorers

counted = {name: shapes.sizes(name) for name in shapes.PARTS} | {name: scorers.sizes(name) for name in scorers.SCORERS}
text = json.dumps(counted, indent=1) + "\n"
SIZES.write_text(text, "utf-8")
print(text)
