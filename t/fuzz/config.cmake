tayori_fuzz(config NEEDS conf)
