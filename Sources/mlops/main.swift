print("mlops")
