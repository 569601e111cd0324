tayori_fuzz(smtp_reply NEEDS smtp)
