"""lymphokit: from bags of blood-cell images to a submission whose score can be believed."""
