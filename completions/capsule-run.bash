# bash completion for capsule-run                                  -*- shell-script -*-

_capsule_run()
{
	# BEGIN OPTIONS: from the option table, by make update-docs
	local layers='user mount pid net ipc uts cgroupns no-new-privs capabilities seccomp cgroup'
	local groups='limits files network task run all'
	local -A values=(
		[--ram]='64M 256M 512M 1G 4G'
		[--ram-soft]='64M 256M 512M 1G 4G unlimited'
		[--pids]='64 256 1024 4096'
		[--cpu]='0.5 1 2 4 unlimited'
		[--io-read-bps]='64M 256M 512M 1G 4G unlimited'
		[--io-write-bps]='64M 256M 512M 1G 4G unlimited'
		[--cpu-time]='1s 10s 1m 10m 1h unlimited'
		[--compute]='LOW MEDIUM HIGH 10s unlimited'
		[-t]='1s 10s 1m 10m 1h unlimited' [--timeout]='1s 10s 1m 10m 1h unlimited'
		[--stall]='1s 10s 1m 10m 1h unlimited'
		[--grace]='1s 10s 1m 10m 1h'
		[--nofile]='64 256 1024 4096'
		[--fsize]='64M 256M 512M 1G 4G unlimited'
		[--output]='64M 256M 512M 1G 4G unlimited'
		[--output-keep]='head tail both'
		[--disk]='64M 256M 512M 1G 4G unlimited'
		[--inodes]='64 256 1024 4096 unlimited'
		[-d]='@dir' [--dir]='@dir'
		[--fresh]='@flag'
		[-b]='@bind' [--bind]='@bind'
		[--src]='@dir'
		[--runtime]='system closure'
		[--allow]='@any'
		[--allow-file]='@file'
		[--net-bytes]='@any'
		[--net-connections]='@any'
		[--net-rate]='@any'
		[--net-log]='@file'
		[--python]='@file'
		[--venv]='@dir'
		[-e]='@variable' [--env]='@variable'
		[--task]='@any'
		[--args-file]='@file'
		[--accept-declared]='@flag'
		[-n]='@flag' [--no-stdin]='@flag'
		[--raw-terminal]='@flag'
		[--filter]='default strict'
		[--profile]='@profile'
		[--max-retries]='64 256 1024 4096'
		[--retry-on]='failure any exited signaled timeout cpu-time stall oom disk output'
		[--retry-delay]='1s 10s 1m 10m 1h'
		[--result]='@file'
		[--require]='@layer'
		[--json]='@flag'
		[--summary]='@flag'
		[--timeline]='@flag'
		[-q]='@flag' [--quiet]='@flag'
		[-v]='@flag' [--verbose]='@flag'
		[--print-policy]='@flag'
		[--list-profiles]='@flag'
		[--doctor]='@flag'
		[--list-tasks]='@flag'
		[-h]='@group' [--help]='@group'
		[-V]='@flag' [--version]='@flag'
	)
	# END OPTIONS
	local word cur option='' state=options kind i
	local -a words=() found=()

	# bash breaks words at = and :, we do not.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]-}
		if ((i > 1)) && [[ $word == [=:]* || ${words[-1]} == *[=:] ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	cur=${words[-1]}

	# Our options end where the task begins.
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		word=${words[i]}
		case $state in
		exec)
			[[ $word == -- ]] || state=task
			continue
			;;
		name)
			state=task
			continue
			;;
		task)
			break
			;;
		esac
		option=''
		case $word in
		--exec) state=exec ;;
		--) state=name ;;
		-c | -m)
			option=$word
			((++i < ${#words[@]} - 1)) && option='' state=task
			;;
		--*=*) ;;
		-?*)
			kind=${values[$word]-@flag}
			if [[ $kind != @flag ]]; then
				option=$word
				((++i < ${#words[@]} - 1)) && option=''
			fi
			;;
		*) state=task ;;
		esac
	done

	local prefix=''
	if [[ -z $option && $state == options && $cur == --*=* ]]; then
		option=${cur%%=*}
		prefix=$option=
		cur=${cur#*=}
	fi
	COMPREPLY=()
	if [[ $state == exec ]]; then
		mapfile -t found < <(compgen -c -- "$cur")
	elif [[ -n $option ]]; then
		kind=${values[$option]-}
		case $option in
		-c) return ;;
		-m) return ;;
		esac
		case $kind in
		'' | @any) return ;;
		@flag) [[ -n $prefix ]] && mapfile -t found < <(compgen -W 'yes no' -- "$cur") ;;
		@dir)
			compopt -o filenames 2>/dev/null
			mapfile -t found < <(compgen -d -- "$cur")
			;;
		@file | @bind)
			compopt -o filenames 2>/dev/null
			mapfile -t found < <(compgen -f -- "$cur")
			;;
		@profile)
			compopt -o filenames 2>/dev/null
			mapfile -t found < <(
				compgen -W "$("${words[0]}" --list-profiles 2>/dev/null | sed -n 's/^\([^ ]\{1,\}\).*/\1/p')" -- "$cur"
				compgen -f -- "$cur"
			)
			;;
		@variable) mapfile -t found < <(compgen -e -- "$cur") ;;
		@layer)
			# A list with commas.
			local head=''
			[[ $cur == *,* ]] && head=${cur%,*},
			mapfile -t found < <(compgen -P "$head" -W "$layers" -- "${cur##*,}")
			;;
		@group) mapfile -t found < <(compgen -W "$groups" -- "$cur") ;;
		*) mapfile -t found < <(compgen -W "$kind" -- "$cur") ;;
		esac
	elif [[ $state == options && $cur == -* ]]; then
		mapfile -t found < <(compgen -W "${!values[*]} --exec -c -m" -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t found < <(compgen -f -- "$cur")
	fi

	# Only what is behind the last = or : is replaced.
	local whole=$prefix$cur last=${COMP_WORDS[COMP_CWORD]-}
	[[ $last == [=:] ]] && last=''
	for word in "${found[@]}"; do
		word=$prefix$word
		COMPREPLY+=("${word#"${whole%"$last"}"}")
	done
} && complete -F _capsule_run capsule-run
