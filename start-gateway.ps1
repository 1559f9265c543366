# Installs the gateway into .venv and serves, on Windows. vLLM itself runs on Linux or in WSL2.
#
#   .\start-gateway.ps1                                            on the embedded engine
#   .\start-gateway.ps1 --upstream http://127.0.0.1:8000/v1        in front of a vLLM in WSL2 or elsewhere
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot

if (-not (Test-Path .venv\Scripts\python.exe)) {
    $python = @("py", "python3", "python") | Where-Object { Get-Command $_ -ErrorAction SilentlyContinue } | Select-Object -First 1
    if (-not $python) {
        Write-Error "Python 3.11 or newer is needed; none was found. Install it from https://www.python.org/downloads/"
    }
    & $python -m venv .venv
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
if (-not (Test-Path .venv\run.stamp)) {
    & .venv\Scripts\python.exe -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements\run.txt -r requirements\build.txt
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
    & .venv\Scripts\python.exe -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
    New-Item -ItemType File .venv\run.stamp | Out-Null
}
& .venv\Scripts\vllm-gateway.exe serve @args
exit $LASTEXITCODE
