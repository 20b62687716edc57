# SPDX-License-Identifier: MIT
# Prints a line "PAGE FUNCTION PROTOTYPE" for each function that the SYNOPSIS of
# a manual page declares.
FNR == 1 {
	page = FILENAME
	sub(/.*\//, "", page)
	sub(/\.3$/, "", page)
}
FNR == 1 || /^\.Sh / { synopsis = /^\.Sh SYNOPSIS/ }
!synopsis { next }
/^\.F[toa] / {
	text = $0
	sub(/^\.F[toa] "?/, "", text)
	sub(/"$/, "", text)
}
/^\.Ft / { type = text }
/^\.Fo / { name = text; args = "" }
/^\.Fa / { args = args (args == "" ? "" : ", ") text }
/^\.Fc/ { print page, name, type " " name "(" args ")" }
