tayori_fuzz(sasl NEEDS sasl)
