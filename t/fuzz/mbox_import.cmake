tayori_fuzz(mbox_import NEEDS mbox)
