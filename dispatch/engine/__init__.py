"""The search for routes: ruin and recreate over flat arrays, compiled; crews, loads, shares."""
