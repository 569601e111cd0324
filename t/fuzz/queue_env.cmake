tayori_fuzz(queue_env NEEDS queue)
