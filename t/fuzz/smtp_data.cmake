tayori_fuzz(smtp_data NEEDS smtp)
