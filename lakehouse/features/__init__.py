"""Figures of a profile at an instant. Owns every feature a model may read; imports no profile table and no model."""
