# SPDX-License-Identifier: Apache-2.0
# bash completion for gotgt, which knows what can come next: "gotgt completion words" asks it.

_gotgt()
{
	local line=${COMP_LINE:0:COMP_POINT} current start word file
	local -a words
	COMPREPLY=()

	# Words as they were typed: bash has taken them apart at colons and equals signs.
	read -a words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	current=${words[${#words[@]} - 1]}
	# What of the word bash leaves as it is.
	start=
	[[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && start=${current%"${current##*:}"}
	[[ $COMP_WORDBREAKS == *=* && ${current#"$start"} == *=* ]] && start=${current%"${current##*=}"}

	while IFS= read -r word; do
		case $word in
		:files | :folders)
			file=$current
			[[ $file == --*=* ]] && file=${file#*=}
			[[ $word == :files ]] && word=-f || word=-d
			while IFS= read -r word; do
				COMPREPLY+=("${word#"${start#--*=}"}")
			done < <(compgen "$word" -- "$file")
			compopt -o filenames 2>/dev/null
			;;
		*)
			word=${word%%$'\t'*}
			[[ $word == *[=,:] ]] && compopt -o nospace 2>/dev/null
			word=${word#"$start"}
			[[ $word == *[[:space:]]* ]] && printf -v word %q "$word"
			COMPREPLY+=("$word")
			;;
		esac
	done < <("${words[0]/#\~/$HOME}" completion words -- "${words[@]:1}" 2>/dev/null)
}

complete -F _gotgt gotgt
