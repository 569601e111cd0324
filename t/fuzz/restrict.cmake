tayori_fuzz(restrict NEEDS smtp conf)
