#compdef codex-agent
# zsh completion for codex-agent: a file _codex-agent in $fpath, or: source <(codex-agent completion zsh)

_codex_agent_names() {
  local -a location names
  local i
  for ((i = 2; i < CURRENT; i++)); do
    case ${words[i]} in
      -C|--config) location+=("${words[i]}" "${words[i + 1]}") ;;
    esac
  done
  names=(${(f)"$(${words[1]} $location __names 2>/dev/null)"})
  _describe -t backends backend names
}

_codex_agent() {
  local verb i
  local -a verbs json wait
  verbs=(
    'run:run an agent in the foreground and start the backends'
    'start:start backends, and an agent if none runs'
    'stop:stop backends'
    'restart:stop and start backends'
    'status:how the backends are'
    'check:ask every probe once'
    'logs:the output of a backend'
    'events:what happened to the backends'
    'ports:who listens on the ports'
    'stack:where the JavaScript of the backends is right now'
    'evidence:what was kept of hangs'
    'config:check or show the configuration'
    'shutdown:stop all backends and end the agent'
    'completion:print the completion script of a shell'
  )
  json=('--json[print one JSON document]')
  wait=('--timeout[stop waiting after this time]:time (90, 500ms, 5s, 2m):' $json)

  for ((i = 2; i < CURRENT; i++)); do
    case ${words[i]} in
      -C|--config) ((i++)) ;;
      -*) ;;
      *) verb=${words[i]}; break ;;
    esac
  done
  if [[ -z $verb ]]; then
    _arguments \
      '-C[the directory of the project]:directory:_files -/' \
      '--config[the configuration file]:file:_files' \
      '(- *)--version[show the version]' \
      '(- *)--help[show help]' \
      '*::command:{ _describe -t commands command verbs }'
    return
  fi
  # From here on only what belongs to the verb.
  words=("${words[1]}" "${(@)words[i + 1,-1]}")
  ((CURRENT -= i - 1))
  case $verb in
    run)
      _arguments '--replace[take over from the agent that runs now]' '--background[return once the agent works]'
      ;;
    start|stop|restart) _arguments '--no-wait[do not wait for the outcome]' $wait '*:backend:_codex_agent_names' ;;
    shutdown) _arguments $wait ;;
    status|check|ports|stack) _arguments $json '*:backend:_codex_agent_names' ;;
    logs)
      _arguments '(-f --follow)'{-f,--follow}'[go on with what is added]' \
        '(-n --lines)'{-n,--lines}'[how many lines]:number:' '1:backend:_codex_agent_names'
      ;;
    events)
      _arguments '(-f --follow)'{-f,--follow}'[go on with new events]' \
        '(-n --lines)'{-n,--lines}'[how many events]:number:' $json
      ;;
    evidence) _arguments $json '1:incident:(latest)' ;;
    config) _arguments $json '1:action:(check show)' ;;
    completion) _arguments '1:shell:(bash zsh fish)' ;;
  esac
}

# Autoloaded, the file itself is the function; sourced, it has to be registered.
if [[ ${funcstack[1]} == _codex-agent ]]; then
  _codex_agent "$@"
else
  compdef _codex_agent codex-agent
fi
