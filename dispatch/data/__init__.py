"""Real places of Taizhou, packaged: names, codes, points and borders."""
