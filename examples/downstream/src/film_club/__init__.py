"""What a film club does with matfact: a typed package, as other people would write it."""

from film_club.evening import Evening, plan_evening

__all__ = ["Evening", "plan_evening"]
