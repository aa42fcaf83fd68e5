"""The online store's two engines, and what is kept in it: profiles, and the recent behaviour of visitors."""
