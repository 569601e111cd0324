tayori_fuzz(mbox_folder NEEDS mbox)
