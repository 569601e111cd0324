tayori_fuzz(smtp_command NEEDS smtp)
