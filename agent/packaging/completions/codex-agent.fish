# fish completion for codex-agent: in vendor_completions.d, or: codex-agent completion fish | source

function __codex_agent_verb
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case -C --config
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end

function __codex_agent_verb_is
    set -l verb (__codex_agent_verb)
    and contains -- $verb $argv
end

function __codex_agent_names
    set -l location
    set -l words (commandline -opc)
    for i in (seq 2 (count $words))
        if contains -- $words[$i] -C --config; and test $i -lt (count $words)
            set -a location $words[$i] $words[(math $i + 1)]
        end
    end
    $words[1] $location __names 2>/dev/null
end

complete -c codex-agent -f
complete -c codex-agent -n 'not __codex_agent_verb' -s C -x -a '(__fish_complete_directories)' -d 'Directory of the project'
complete -c codex-agent -n 'not __codex_agent_verb' -l config -r -F -d 'Configuration file'
complete -c codex-agent -n 'not __codex_agent_verb' -l version -d 'Show the version'
complete -c codex-agent -s h -l help -d 'Show help'

complete -c codex-agent -n 'not __codex_agent_verb' -a run -d 'Run an agent in the foreground'
complete -c codex-agent -n 'not __codex_agent_verb' -a start -d 'Start backends'
complete -c codex-agent -n 'not __codex_agent_verb' -a stop -d 'Stop backends'
complete -c codex-agent -n 'not __codex_agent_verb' -a restart -d 'Stop and start backends'
complete -c codex-agent -n 'not __codex_agent_verb' -a status -d 'How the backends are'
complete -c codex-agent -n 'not __codex_agent_verb' -a check -d 'Ask every probe once'
complete -c codex-agent -n 'not __codex_agent_verb' -a logs -d 'The output of a backend'
complete -c codex-agent -n 'not __codex_agent_verb' -a events -d 'What happened to the backends'
complete -c codex-agent -n 'not __codex_agent_verb' -a ports -d 'Who listens on the ports'
complete -c codex-agent -n 'not __codex_agent_verb' -a evidence -d 'What was kept of hangs'
complete -c codex-agent -n 'not __codex_agent_verb' -a stack -d 'Where the JavaScript is right now'
complete -c codex-agent -n 'not __codex_agent_verb' -a config -d 'Check or show the configuration'
complete -c codex-agent -n 'not __codex_agent_verb' -a shutdown -d 'Stop all backends and end the agent'
complete -c codex-agent -n 'not __codex_agent_verb' -a completion -d 'Print a completion script'

complete -c codex-agent -n '__codex_agent_verb_is run' -l replace -d 'Take over from the agent that runs now'
complete -c codex-agent -n '__codex_agent_verb_is run' -l background -d 'Return once the agent works'
complete -c codex-agent -n '__codex_agent_verb_is start stop restart' -l no-wait -d 'Do not wait for the outcome'
complete -c codex-agent -n '__codex_agent_verb_is start stop restart shutdown' -l timeout -x -d 'Stop waiting after this time'
complete -c codex-agent -n '__codex_agent_verb_is start stop restart shutdown status check events ports stack evidence config' -l json -d 'Print one JSON document'
complete -c codex-agent -n '__codex_agent_verb_is logs events' -s f -l follow -d 'Go on with what is added'
complete -c codex-agent -n '__codex_agent_verb_is logs events' -s n -l lines -x -d 'How many of the newest'
complete -c codex-agent -n '__codex_agent_verb_is start stop restart status check logs ports stack' -a '(__codex_agent_names)'
complete -c codex-agent -n '__codex_agent_verb_is config' -a 'check show'
complete -c codex-agent -n '__codex_agent_verb_is completion' -a 'bash zsh fish'
