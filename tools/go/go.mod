module numatally

go 1.19
