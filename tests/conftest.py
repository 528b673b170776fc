"""What holds for every test: Hypothesis profiles. Chosen by HYPOTHESIS_PROFILE; `dev` where it is not set."""

import os

from hypothesis import HealthCheck, settings

# No deadlines: on a shared machine a slow example says nothing about the code.
# A printed blob makes any failure repeatable on another machine.
settings.register_profile("quick", max_examples=15, deadline=None, print_blob=True)
settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True)
settings.register_profile(
    "nightly",
    max_examples=5000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
