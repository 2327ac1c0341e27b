# fish completion for capsule-run

# True before the task, where our options end.
function __capsule_run_options
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -c -m --exec -- -
                return 1
            case '--*=*'
            case '-*'
                if contains -- $words[1] $__capsule_run_valued
                    set -e words[1]
                end
            case '*'
                return 1
        end
        set -q words[1]; and set -e words[1]
    end
    return 0
end

# True where the program of --exec stands.
function __capsule_run_program
    set -l words (commandline -opc)
    test "$words[-1]" = --; and set -e words[-1]
    test "$words[-1]" = --exec
end

function __capsule_run_profiles
    set -l words (commandline -opc)
    $words[1] --list-profiles 2>/dev/null | string match -r '^[^ ]+'
end

function __capsule_run_layer_lists
    set -l before (string match -r '^.*,' -- (commandline -ct | string replace -r '^--[a-z-]*=' ''))
    set -q before[1]; or set before ''
    printf '%s\n' $before$__capsule_run_layers
end

set -g __capsule_run_file -r -F
set -g __capsule_run_bind -r -F
set -g __capsule_run_any -x
set -g __capsule_run_dir -x -a '(__fish_complete_directories)'
set -g __capsule_run_variable -x -a '(set --names --export)='
set -g __capsule_run_profile -r -F -a '(__capsule_run_profiles)'
set -g __capsule_run_layer -x -a '(__capsule_run_layer_lists)'
set -g __capsule_run_group -x -a '$__capsule_run_groups'

# BEGIN OPTIONS: from the option table, by make update-docs
set -g __capsule_run_layers user mount pid net ipc uts cgroupns no-new-privs capabilities seccomp cgroup
set -g __capsule_run_groups limits files network task run all
set -g __capsule_run_valued -c -m --ram --ram-soft --pids --cpu --io-read-bps --io-write-bps --cpu-time --compute -t --timeout --stall --grace --nofile --fsize --output --output-keep --disk --inodes -d --dir -b --bind --src --runtime --allow --allow-file --net-bytes --net-connections --net-rate --net-log --python --venv -e --env --task --args-file --filter --profile --max-retries --retry-on --retry-delay --result --require
complete -c capsule-run -n __capsule_run_options -l ram -x -a '64M 256M 512M 1G 4G' -d 'memory of the task, tmpfs and cache included'
complete -c capsule-run -n __capsule_run_options -l ram-soft -x -a '64M 256M 512M 1G 4G unlimited' -d 'memory from which it is to do with less'
complete -c capsule-run -n __capsule_run_options -l pids -x -a '64 256 1024 4096' -d 'processes and threads'
complete -c capsule-run -n __capsule_run_options -l cpu -x -a '0.5 1 2 4 unlimited' -d 'cores, such as 2 or 0.5 (needs a cgroup)'
complete -c capsule-run -n __capsule_run_options -l io-read-bps -x -a '64M 256M 512M 1G 4G unlimited' -d 'reads a second from the disk (needs a cgroup)'
complete -c capsule-run -n __capsule_run_options -l io-write-bps -x -a '64M 256M 512M 1G 4G unlimited' -d 'writes a second to it (needs cgroup v2)'
complete -c capsule-run -n __capsule_run_options -l cpu-time -x -a '1s 10s 1m 10m 1h unlimited' -d 'CPU time of the whole task'
complete -c capsule-run -n __capsule_run_options -l compute -x -a 'LOW MEDIUM HIGH 10s unlimited' -d 'CPU time by name: 10s, 1m, 10m'
complete -c capsule-run -n __capsule_run_options -s t -l timeout -x -a '1s 10s 1m 10m 1h unlimited' -d 'wall-clock time: SIGTERM, then SIGKILL'
complete -c capsule-run -n __capsule_run_options -l stall -x -a '1s 10s 1m 10m 1h unlimited' -d 'time without output and CPU use'
complete -c capsule-run -n __capsule_run_options -l grace -x -a '1s 10s 1m 10m 1h' -d 'time between the two'
complete -c capsule-run -n __capsule_run_options -l nofile -x -a '64 256 1024 4096' -d 'open files of each process'
complete -c capsule-run -n __capsule_run_options -l fsize -x -a '64M 256M 512M 1G 4G unlimited' -d 'size of each file'
complete -c capsule-run -n __capsule_run_options -l output -x -a '64M 256M 512M 1G 4G unlimited' -d 'bytes on stdout and stderr; more is dropped'
complete -c capsule-run -n __capsule_run_options -l output-keep -x -a 'head tail both' -d 'what of longer output is passed on'
complete -c capsule-run -n __capsule_run_options -l disk -x -a '64M 256M 512M 1G 4G unlimited' -d 'growth of the sandbox directory'
complete -c capsule-run -n __capsule_run_options -l inodes -x -a '64 256 1024 4096 unlimited' -d 'new files in the sandbox directory'
complete -c capsule-run -n __capsule_run_options -s d -l dir $__capsule_run_dir -d 'the writable one, shown as /tmp/agent_sandbox'
complete -c capsule-run -n __capsule_run_options -l fresh -d 'an empty one in memory instead, gone after'
complete -c capsule-run -n __capsule_run_options -s b -l bind $__capsule_run_bind -d 'show a file or directory; read-only, same path'
complete -c capsule-run -n __capsule_run_options -l src $__capsule_run_dir -d 'show a project read-only and import from it'
complete -c capsule-run -n __capsule_run_options -l runtime -x -a 'system closure' -d '/usr, or Python\'s own files only'
complete -c capsule-run -n __capsule_run_options -l allow $__capsule_run_any -d 'let it connect to a host; port 443 unless given'
complete -c capsule-run -n __capsule_run_options -l allow-file $__capsule_run_file -d 'the same, from a file\'s lines'
complete -c capsule-run -n __capsule_run_options -l net-bytes $__capsule_run_any -d 'bytes, both ways'
complete -c capsule-run -n __capsule_run_options -l net-connections $__capsule_run_any -d 'connections at a time'
complete -c capsule-run -n __capsule_run_options -l net-rate $__capsule_run_any -d 'bytes per second, both ways'
complete -c capsule-run -n __capsule_run_options -l net-log $__capsule_run_file -d 'write what it connected to as JSON lines'
complete -c capsule-run -n __capsule_run_options -l python $__capsule_run_file -d 'the interpreter (default: PATH\'s python3)'
complete -c capsule-run -n __capsule_run_options -l venv $__capsule_run_dir -d 'the interpreter of a virtual environment'
complete -c capsule-run -n __capsule_run_options -s e -l env $__capsule_run_variable -d 'pass a variable; nothing else is passed'
complete -c capsule-run -n __capsule_run_options -l task $__capsule_run_any -d 'which task of a task file to call'
complete -c capsule-run -n __capsule_run_options -l args-file $__capsule_run_file -d 'what a task is called with, as JSON'
complete -c capsule-run -n __capsule_run_options -l accept-declared -d 'allow the files and variables it asks for'
complete -c capsule-run -n __capsule_run_options -s n -l no-stdin -d 'empty standard input'
complete -c capsule-run -n __capsule_run_options -l raw-terminal -d 'let its escape sequences act on your terminal'
complete -c capsule-run -n __capsule_run_options -l filter -x -a 'default strict' -d 'the system calls that it may make'
complete -c capsule-run -n __capsule_run_options -l profile $__capsule_run_profile -d 'take values from a profile (ci, strict, ...)'
complete -c capsule-run -n __capsule_run_options -l max-retries -x -a '64 256 1024 4096' -d 'run a task that fails again, so often'
complete -c capsule-run -n __capsule_run_options -l retry-on -x -a 'failure any exited signaled timeout cpu-time stall oom disk output' -d 'which ends are tried again'
complete -c capsule-run -n __capsule_run_options -l retry-delay -x -a '1s 10s 1m 10m 1h' -d 'the pause before the first retry; doubles'
complete -c capsule-run -n __capsule_run_options -l result $__capsule_run_file -d 'write the verdict as JSON'
complete -c capsule-run -n __capsule_run_options -l require $__capsule_run_layer -d 'do not start without these layers (cgroup, ...)'
complete -c capsule-run -n __capsule_run_options -l json -d 'print one JSON object: output and verdict'
complete -c capsule-run -n __capsule_run_options -l summary -d 'say at the end how it went, and what it used'
complete -c capsule-run -n __capsule_run_options -l timeline -d 'note memory and CPU over time'
complete -c capsule-run -n __capsule_run_options -s q -l quiet -d 'errors only'
complete -c capsule-run -n __capsule_run_options -s v -l verbose -d 'say what is done and what the task used'
complete -c capsule-run -n __capsule_run_options -l print-policy -d 'print what would be in force, and why'
complete -c capsule-run -n __capsule_run_options -l list-profiles -d 'print the profiles that have a name'
complete -c capsule-run -n __capsule_run_options -l doctor -d 'try what tasks need here, and say what is missing'
complete -c capsule-run -n __capsule_run_options -l list-tasks -d 'print a task file\'s tasks, and what is left to them'
complete -c capsule-run -n __capsule_run_options -s h -l help $__capsule_run_group -d 'explain the options of a group, or all'
complete -c capsule-run -n __capsule_run_options -s V -l version -d 'print the version'
# END OPTIONS
complete -c capsule-run -n __capsule_run_options -s c -x -d 'run CODE, as python3 -c does'
complete -c capsule-run -n __capsule_run_options -s m -x -d 'run MODULE, as python3 -m does'
complete -c capsule-run -n __capsule_run_options -l exec -d 'run a program that is not Python'
complete -c capsule-run -n __capsule_run_program -x -a '(__fish_complete_command)'
