# bash completion for codex-agent
# Needs only bash 4; bash-completion loads it by name, or: source <(codex-agent completion bash)

_codex_agent_names() {
  local -a location=()
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -C | --config) location+=("${COMP_WORDS[i]}" "${COMP_WORDS[i + 1]}") ;;
    esac
  done
  "${COMP_WORDS[0]}" "${location[@]}" __names 2>/dev/null
}

_codex_agent() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local verb='' i words=''
  COMPREPLY=()
  case $previous in
    -C)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    -n | --lines | --timeout) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -C | --config) ((i++)) ;;
      -*) ;;
      *)
        verb=${COMP_WORDS[i]}
        break
        ;;
    esac
  done
  if [[ -z $verb ]]; then
    words='run start stop restart status check logs events ports stack evidence config shutdown completion -C --config --version --help'
  elif [[ $current == -* ]]; then
    case $verb in
      start | stop | restart) words='--no-wait --timeout --json' ;;
      run) words='--replace --background' ;;
      shutdown) words='--timeout --json' ;;
      status | check | ports | stack | evidence | config) words='--json' ;;
      logs) words='--follow --lines' ;;
      events) words='--follow --lines --json' ;;
    esac
    words+=' --help'
  else
    case $verb in
      start | stop | restart | status | check | ports | stack | logs) words=$(_codex_agent_names) ;;
      evidence) words='latest' ;;
      config) words='check show' ;;
      completion) words='bash zsh fish' ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _codex_agent codex-agent
