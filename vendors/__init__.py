"""The supply side: who may work, who accepted, who is on shift."""
