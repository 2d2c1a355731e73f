#compdef gotgt
# SPDX-License-Identifier: Apache-2.0
# zsh completion for gotgt, which knows what can come next: "gotgt completion words" asks it.

_gotgt()
{
	local line word text
	local -a spaced joined
	local -i files=0 folders=0

	for line in "${(@f)$(${(Q)words[1]} completion words -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
		case $line in
		:files) files=1 ;;
		:folders) folders=1 ;;
		?*)
			word=${line%%$'\t'*}
			text=${word//:/\\:}
			[[ $line == *$'\t'* ]] && text+=:${line#*$'\t'}
			if [[ $word == *[=,:] ]]; then joined+=("$text"); else spaced+=("$text"); fi
			;;
		esac
	done
	(( $#spaced )) && _describe gotgt spaced
	(( $#joined )) && _describe gotgt joined -S ''
	(( files || folders )) && compset -P '--*='
	(( files )) && _files
	(( folders )) && _files -/
}

if [[ $funcstack[1] == _gotgt ]]; then
	_gotgt "$@"
else
	compdef _gotgt gotgt
fi
