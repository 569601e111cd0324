tayori_fuzz(mbox_name NEEDS mbox)
