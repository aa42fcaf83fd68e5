"""silver.sessions: visits, from silver.events. Knows visitors, and nothing of profiles: identity may change, a visit does not."""
