tayori_fuzz(mbox_texts NEEDS mbox)
