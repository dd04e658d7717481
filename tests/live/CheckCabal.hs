-- | Parses cabal files with Cabal's own library, as cabal does, and says what it finds wrong with them, warnings too.
module Main (main) where

import qualified Data.ByteString as ByteString
import Distribution.PackageDescription.Check (checkPackage)
import Distribution.PackageDescription.Parsec (parseGenericPackageDescription, runParseResult)
import System.Environment (getArgs)
import System.Exit (exitFailure)

main :: IO ()
main = do
  files <- getArgs
  found <- concat <$> mapM (fmap complaints . ByteString.readFile) files
  mapM_ putStrLn found
  if null found then putStrLn (show (length files) ++ " package descriptions, nothing is wrong") else exitFailure

complaints :: ByteString.ByteString -> [String]
complaints file = map show warnings ++ case result of
  Left (_, errors) -> map show (foldr (:) [] errors)
  Right package -> map show (checkPackage package Nothing)
  where (warnings, result) = runParseResult (parseGenericPackageDescription file)
