tayori_fuzz(ipc NEEDS ipc)
