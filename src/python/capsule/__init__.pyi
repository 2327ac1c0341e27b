from os import PathLike
from typing import Any, Callable, Coroutine, Dict, Generic, Mapping, Optional, Sequence, TypedDict, TypeVar, Union
from typing import overload

from typing_extensions import NotRequired, ParamSpec, Unpack

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Path = Union[str, "PathLike[str]"]
_Amount = Union[str, int, float]

class _Mode(TypedDict):
    path: str
    mode: NotRequired[str]

class _Error(TypedDict):
    error_type: str
    message: str

class _Options(TypedDict, total=False):
    ram: _Amount
    ram_soft: _Amount
    io_read_bps: _Amount
    io_write_bps: _Amount
    pids: int
    cpu: _Amount
    cpu_time: _Amount
    compute: _Amount
    timeout: _Amount
    stall: _Amount
    grace: _Amount
    nofile: int
    fsize: _Amount
    output: _Amount
    output_keep: str
    disk: _Amount
    inodes: int
    dir: _Path
    fresh: bool
    bind: Union[str, Sequence[str]]
    src: Union[_Path, Sequence[_Path]]
    runtime: str
    allow: Union[str, Sequence[str]]
    allow_file: Union[_Path, Sequence[_Path]]
    net_bytes: Union[_Amount, Sequence[str]]
    net_connections: Union[int, str, Sequence[str]]
    net_rate: Union[_Amount, Sequence[str]]
    net_log: _Path
    python: _Path
    venv: _Path
    env: Union[str, Sequence[str]]
    accept_declared: bool
    filter: str
    profile: Union[_Path, Sequence[_Path]]
    require: Union[str, Sequence[str]]
    result: _Path
    max_retries: int
    retry_on: str
    retry_delay: _Amount
    timeline: Union[bool, str]

class Result(Dict[str, Any]):
    @property
    def success(self) -> bool: ...
    @property
    def error(self) -> Optional[_Error]: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def verdict(self) -> Optional[Dict[str, Any]]: ...
    @property
    def value(self) -> Any: ...

class CapsuleError(Exception): ...
class NotInstalledError(CapsuleError): ...

class TaskError(CapsuleError):
    result: Result
    def __init__(self, result: Result) -> None: ...
    @property
    def error_type(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def verdict(self) -> Optional[Dict[str, Any]]: ...

class LimitError(TaskError): ...
class DeniedError(TaskError): ...
class SandboxError(TaskError): ...

class _Declared:
    name: str
    function: Callable[..., Any]
    options: Dict[str, Any]
    is_async: bool

class _Task(Generic[_P, _R]):
    __name__: str
    task: _Declared
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    def run(self, *args: _P.args, **kwargs: _P.kwargs) -> Result: ...
    async def run_async(self, *args: _P.args, **kwargs: _P.kwargs) -> Result: ...
    def call(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call_async(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

class _AsyncTask(Generic[_P, _R]):
    __name__: str
    task: _Declared
    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> Coroutine[Any, Any, _R]: ...
    def run(self, *args: _P.args, **kwargs: _P.kwargs) -> Result: ...
    async def run_async(self, *args: _P.args, **kwargs: _P.kwargs) -> Result: ...
    def call(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...
    async def call_async(self, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...

class _Decorator:
    @overload
    def __call__(self, function: Callable[_P, Coroutine[Any, Any, _R]]) -> _AsyncTask[_P, _R]: ...
    @overload
    def __call__(self, function: Callable[_P, _R]) -> _Task[_P, _R]: ...

@overload
def task(name: Callable[_P, Coroutine[Any, Any, _R]]) -> _AsyncTask[_P, _R]: ...
@overload
def task(name: Callable[_P, _R]) -> _Task[_P, _R]: ...
@overload
def task(
    name: Optional[str] = ...,
    compute: Optional[Union[str, int]] = ...,
    ram: Optional[Union[str, int]] = ...,
    timeout: Optional[str] = ...,
    max_retries: Optional[int] = ...,
    allowed_files: Optional[Sequence[Union[str, _Mode]]] = ...,
    allowed_hosts: Optional[Sequence[str]] = ...,
    env_variables: Optional[Sequence[str]] = ...,
) -> _Decorator: ...
def configure(
    *, sandbox: Optional[bool] = ..., executable: Optional[_Path] = ..., **options: Unpack[_Options]
) -> None: ...
def run(
    file: _Path,
    args: Sequence[Any] = ...,
    kwargs: Optional[Mapping[str, Any]] = ...,
    *,
    task: Optional[str] = ...,
    input: Optional[Union[str, bytes]] = ...,
    cwd: Optional[_Path] = ...,
    check: bool = ...,
    **options: Unpack[_Options],
) -> Result: ...
async def run_async(
    file: _Path,
    args: Sequence[Any] = ...,
    kwargs: Optional[Mapping[str, Any]] = ...,
    *,
    task: Optional[str] = ...,
    input: Optional[Union[str, bytes]] = ...,
    cwd: Optional[_Path] = ...,
    check: bool = ...,
    **options: Unpack[_Options],
) -> Result: ...
