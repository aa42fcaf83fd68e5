"""What a request may say and what it is answered with, as models and limits. Imports no other room."""
