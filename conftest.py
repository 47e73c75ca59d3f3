"""Before any test loads torch: the tests leave other programs their share of the machine."""

import arttl

arttl.share_cores()
